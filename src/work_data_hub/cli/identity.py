"""`wdh identity`: the commands about which company a row belongs to."""

import typer

from work_data_hub.cli import (
    identity_apply,
    identity_clean,
    identity_decide,
    identity_explain,
    identity_names,
    identity_queue,
    identity_refresh,
    identity_review,
)

app = typer.Typer(
    help="Which company a row belongs to: review and decide, explain, ask the registry, put stored rows right.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Commands about companies."""


app.command("explain", help=identity_explain.HELP)(identity_explain.explain)
app.command("review", help=identity_review.HELP)(identity_review.review)
app.command("accept", help=identity_decide.ACCEPT_HELP)(identity_decide.accept)
app.command("choose", help=identity_decide.CHOOSE_HELP)(identity_decide.choose)
app.command("reject", help=identity_decide.REJECT_HELP)(identity_decide.reject)
app.command("merge", help=identity_decide.MERGE_HELP)(identity_decide.merge)
app.command("split", help=identity_decide.SPLIT_HELP)(identity_decide.split)
app.command("undo", help=identity_decide.UNDO_HELP)(identity_decide.undo)
app.command("decisions", help=identity_decide.DECISIONS_HELP)(identity_decide.decisions)
app.command("apply", help=identity_apply.HELP)(identity_apply.apply)
app.command("queue", help=identity_queue.HELP)(identity_queue.queue)
app.command("unknown")(identity_names.unknown)
app.command("refresh", help=identity_refresh.HELP)(identity_refresh.refresh)
app.command("clean", help=identity_clean.HELP)(identity_clean.clean)
app.command("names")(identity_names.names)
