"""Review elsewhere: candidates go out to other tools as files, and what people said there comes back."""
