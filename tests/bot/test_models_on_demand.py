"""aiogram's models in a process of ours: none is built at the start, and every one can be."""

import subprocess
import sys

START_A_PROCESS = """
import app.processes
from aiogram import methods, types

def models(module):
    return [each for each in vars(module).values() if hasattr(each, "model_rebuild")]

print(len(models(types)), sum(model.__pydantic_complete__ for model in models(types)))
for model in models(types) + models(methods):
    model.model_rebuild()
print(*[model.__name__ for model in models(types) if not model.__pydantic_complete__])
"""


def test_a_process_builds_no_models_at_its_start_and_could_build_each() -> None:
    result = subprocess.run(
        [sys.executable, "-c", START_A_PROCESS], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    counts, failed = result.stdout.splitlines()
    models, built = map(int, counts.split())
    assert models > 200
    assert built < models / 10, "something imports aiogram before bot.models_on_demand"
    assert failed == ""
