"""The `bpp` command. Each command is a module of `commands/`; here they are put together and their errors told."""

from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from dotenv import load_dotenv
from rich.text import Text
from typer.core import TyperGroup

from brightpearl_pipelines.commands import (
    alerts,
    common,
    dead_letters,
    doctor,
    explain,
    pausing,
    reconcile,
    report,
    reviews,
    start,
    sync,
    webhooks,
)
from brightpearl_pipelines.commands.common import Exit
from brightpearl_pipelines.errors import ConfigurationError
from brightpearl_pipelines.http.errors import ApiError
from brightpearl_pipelines.mapping import MappingFileError
from brightpearl_pipelines.sync.engine import BusyError


class _TellingGroup(TyperGroup):
    """Turns the errors that a person can mend into one message and an exit code; everything else is a defect."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (ConfigurationError, MappingFileError) as error:
            _tell(error)
            raise typer.Exit(Exit.SETUP) from error
        except (ApiError, BusyError) as error:
            _tell(error)
            raise typer.Exit(Exit.FAILURE) from error
        except psycopg.OperationalError as error:
            _tell(f"the database went away: {error}")
            raise typer.Exit(Exit.FAILURE) from error


def _tell(what: object) -> None:
    common.err().print(Text(str(what).strip(), style="red"), soft_wrap=True)


app = typer.Typer(
    cls=_TellingGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Keeps Brightpearl in step with the shop, the CRM and the ERP.",
)
sandbox = typer.Typer(no_args_is_help=True, help="Local stand-ins for the systems' APIs.")


@app.callback()
def _settings() -> None:
    # As Dagster's own commands do; a variable that is set already stays as it is.
    load_dotenv(Path(".env"))


@sandbox.command("serve")
def serve_sandbox(
    base_port: Annotated[
        int, typer.Option(envvar="BPP_SANDBOX_BASE_PORT", help="Brightpearl listens one above it, BigCommerce two.")
    ] = 8900,
    seed: Annotated[int, typer.Option(help="Same seed, same world.")] = 7,
    orders: Annotated[Path | None, typer.Option(help="Fill the shop with these real order lines (CSV).")] = None,
    rate: Annotated[float, typer.Option(min=0, help="Events a minute that happen by themselves.")] = 0.0,
    only: Annotated[list[str] | None, typer.Option(help="Serve only these systems, separated by commas.")] = None,
    data: Annotated[Path | None, typer.Option(help="Keep the state in this folder across restarts.")] = None,
    currency: Annotated[str, typer.Option(help="What the account and the shop reckon in: GBP, EUR or USD.")] = "GBP",
) -> None:
    """Serve the emulators until stopped; prints one JSON line per system with its address and working credentials."""
    # The one place where the package knows of the sandbox; nothing but this command pays for importing it.
    from brightpearl_pipelines.sandbox.serve import run  # noqa: PLC0415

    raise typer.Exit(
        run(base_port=base_port, seed=seed, orders=orders, rate=rate, only=only, data=data, currency=currency)
    )


app.add_typer(sandbox, name="sandbox")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(reviews.app, name="reviews")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(alerts.app, name="alerts")
app.command("sync")(sync.sync)
app.command("trace")(explain.trace)
app.command("why")(explain.why)
app.command("reconcile")(reconcile.reconcile)
app.command("report")(report.report)
app.command("doctor")(doctor.doctor)
app.command("run")(start.run)
app.command("pause")(pausing.pause)
app.command("resume")(pausing.resume)
app.command("watch")(alerts.watch_command)


def main() -> None:
    """The entry point of `bpp`."""
    app()


if __name__ == "__main__":
    main()
