"""Executes the notebook without a browser, and keeps what it shows in another file: `run.py OUT.ipynb`.

Every cell must succeed, and the plots must be there. The node that it trades on is named by the
environment, as the notebook's second cell says.
"""

import pathlib
import sys

import nbformat
from nbclient import NotebookClient

NOTEBOOK = pathlib.Path(__file__).with_name("keel.ipynb")
PLOTS = 3


def main():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "it is committed without outputs"
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    nbformat.write(notebook, sys.argv[1])
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    plots = sum("image/png" in output.get("data", {}) for output in outputs)
    for output in outputs:
        print(output.get("text", ""), end="")
    assert plots == PLOTS, f"{plots} plots"
    print(f"notebook: {len(notebook.cells)} cells, {plots} plots")


if __name__ == "__main__":
    main()
