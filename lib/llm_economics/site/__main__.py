"""``python -m llm_economics.site build .``: Jupyter Book's command, which imports less with this package before it."""

from jupyter_book.cli.main import main

if __name__ == "__main__":
    main()
