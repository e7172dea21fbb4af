"""Review by people: a web app over the candidates of a workspace, and what its answers say."""
