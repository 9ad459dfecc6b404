"""``python -m llm_economics.site build .``: Jupyter Book's command, which imports less with this package before it.

Nothing is looked through for garbage: a build is over before there is much, and would spend a fifth of its time on it.
"""

import gc

from jupyter_book.cli.main import main

gc.disable()

if __name__ == "__main__":
    main()
