"""`python -m anomagent.scenes.training --out anomagent/models/embedded_weights`"""

import argparse
import os
from pathlib import Path


def main() -> None:
    """Train the embedded model from nothing; a run that was interrupted goes on where its last checkpoint is."""
    args = _arguments()
    # Idle OpenMP threads that spin starve the very threads they wait for on a machine that has other work.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

    import torch

    from anomagent.scenes.training.recipe import Recipe, export_and_measure, train

    torch.set_num_threads(args.threads)
    given = {"vision_minutes": args.vision_minutes, "task_minutes": args.task_minutes, "scenes": args.scenes}
    recipe = Recipe(**{name: value for name, value in given.items() if value is not None})
    if args.export_only:
        export_and_measure(recipe, args.work, args.out)
    else:
        train(recipe, args.work, args.out, device=args.device)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m anomagent.scenes.training", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory of the finished model")
    parser.add_argument("--work", type=Path, default=Path("embedded-training"), help="images, checkpoints and logs")
    parser.add_argument("--vision-minutes", type=float, help="length of the vision stage")
    parser.add_argument("--task-minutes", type=float, help="length of the task stage")
    parser.add_argument("--scenes", type=int, help="number of rendered scenes")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps")
    parser.add_argument(
        "--export-only", action="store_true", help="export and measure the last checkpoint of the tasks"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
