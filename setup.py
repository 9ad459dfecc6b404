"""What pyproject.toml cannot say: the facts stay in data/, and travel with the wheel as llm_economics/data."""

from pathlib import Path
from shutil import copyfile

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithFacts(build_py):
    """Copies data/*.csv beside the library; an editable install reads them where they are."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "llm_economics" / "data"
            target.mkdir(parents=True, exist_ok=True)
            for path in sorted(Path("data").glob("*.csv")):
                copyfile(path, target / path.name)


setup(cmdclass={"build_py": BuildWithFacts})
