"""`anomagent finetune`: from annotations to an adapter that serves. Each command is a module of its own."""

import typer

from anomagent.cli import finetune_check, finetune_data, finetune_merge, finetune_train

app = typer.Typer(help="Fine-tune a Qwen-VL model on accepted anomalies.", no_args_is_help=True)


@app.callback()
def finetune() -> None:
    """Fine-tune a Qwen-VL model on accepted anomalies: data, training, merging, checking."""


app.command()(finetune_data.data)
app.command()(finetune_train.train)
app.command()(finetune_merge.merge)
app.command()(finetune_check.check)
