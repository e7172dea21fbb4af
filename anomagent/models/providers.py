"""The chat providers of LangChain that can look at images: package, keys, and how they name the size of an answer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Provider:
    """What must be there before `init_chat_model` can make a model of this provider."""

    module: str
    install: str
    """What to give to pip."""
    keys: tuple[str, ...] = ()
    """Environment variables, any of which holds the API key; none where the provider has another way in."""
    size: str = "max_tokens"
    tunable: bool = True
    """Whether its models take `max_retries` and `timeout`."""


CHAT = {
    "anthropic": Provider("langchain_anthropic", "'anomagent[anthropic]'", ("ANTHROPIC_API_KEY",)),
    "azure_openai": Provider("langchain_openai", "langchain-openai", ("AZURE_OPENAI_API_KEY",)),
    "bedrock_converse": Provider("langchain_aws", "langchain-aws", tunable=False),
    "fireworks": Provider("langchain_fireworks", "langchain-fireworks", ("FIREWORKS_API_KEY",)),
    "google_genai": Provider("langchain_google_genai", "'anomagent[google]'", ("GOOGLE_API_KEY", "GEMINI_API_KEY")),
    "google_vertexai": Provider("langchain_google_vertexai", "langchain-google-vertexai"),
    "groq": Provider("langchain_groq", "langchain-groq", ("GROQ_API_KEY",)),
    "mistralai": Provider("langchain_mistralai", "langchain-mistralai", ("MISTRAL_API_KEY",)),
    "ollama": Provider("langchain_ollama", "'anomagent[ollama]'", size="num_predict", tunable=False),
    "openrouter": Provider("langchain_openrouter", "langchain-openrouter", ("OPENROUTER_API_KEY",)),
    "together": Provider("langchain_together", "langchain-together", ("TOGETHER_API_KEY",)),
    "xai": Provider("langchain_xai", "langchain-xai", ("XAI_API_KEY",)),
}
