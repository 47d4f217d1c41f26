/** What people are told who have not configured a model yet; scripts need none. */
export const NO_MODEL = "No model is configured; tasks run as scripts, which need none.";
export const NO_MODEL_HINT =
  "Set GEMINI_API_KEY, OPENAI_API_KEY or ANTHROPIC_API_KEY, or name a provider (Ollama too) in config.json: docs/models.md.";
