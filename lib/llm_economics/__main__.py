"""``python -m llm_economics``."""

from llm_economics.cli import main

if __name__ == "__main__":
    main()
