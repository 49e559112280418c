"""The commands and their options; what they do is in the other modules."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..distribution import is_first_started
from .output import Output

app = typer.Typer(
    help="Declare a PDE once, in symbols; solve it by interchangeable backends.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Distributed = Annotated[
    bool, typer.Option("--distributed", help="Share the work with all processes that torchrun has started.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")]


class Dtype(StrEnum):
    """Floating-point types that can be asked for."""

    float32 = "float32"
    float64 = "float64"


def _version(asked: bool) -> None:
    if asked:
        from .. import __version__

        typer.echo(f"pdesolve {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Declare a PDE once, in symbols; solve it by interchangeable backends."""


@app.command()
def problems(as_json: AsJson = False) -> None:
    """List the catalogue, with which backends support each problem."""
    from .listing import list_problems

    output = Output(as_json)
    with output.bad_input_exits():
        list_problems(output)


@app.command()
def backends(as_json: AsJson = False) -> None:
    """List the backends, with their options and defaults."""
    from .listing import list_backends

    output = Output(as_json)
    with output.bad_input_exits():
        list_backends(output)


@app.command()
def info(
    file: Annotated[Path, typer.Argument(help="A result written by `solve --out` or `Solution.save`.")],
    as_json: AsJson = False,
) -> None:
    """Show what a result file holds."""
    from .listing import show_file

    output = Output(as_json)
    with output.bad_input_exits():
        show_file(file, output)


@app.command()
def solve(
    problem: Annotated[str, typer.Argument(help="A catalogue name, or a file.py that defines `problem`.")],
    backend: Annotated[str, typer.Option(help="See `pdesolve backends`.")] = "pinn",
    budget: Annotated[float | None, typer.Option(help="Seconds, set-up included.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser or time steps.")] = None,
    tolerance: Annotated[float | None, typer.Option(help="Stop when the estimated error is below.")] = None,
    seed: Annotated[int, typer.Option(help="Starts every random generator of the run.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1.")] = "cpu",
    dtype: Annotated[Dtype, typer.Option(help="Floating-point type.")] = Dtype.float64,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A parameter of the problem or an option of the backend."
        ),
    ] = None,
    observe: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=COUNT", help="Of a member of a family, know only so many random sensors of a field."
        ),
    ] = None,
    noise: Annotated[float, typer.Option(help="Of the sensors, relative to the field's deviation.")] = 0.0,
    distributed: Distributed = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Save the state here regularly, and continue from it if it is there.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the HDF5 file, VTK series and picture.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier results in --out.")] = False,
    as_json: AsJson = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Show no progress bar.")] = False,
) -> None:
    """Solve a problem; with --out, write it for ParaView, as HDF5 and as a picture.

    Exit status: 0 solved, 1 not converged (the best state is still written), 2 bad input.
    """
    from .solving import Request, solve_request

    run = {
        "budget": budget,
        "steps": steps,
        "tolerance": tolerance,
        "seed": seed,
        "device": device,
        "dtype": dtype.value,
        "distributed": distributed,
        "checkpoint": checkpoint,
        "progress": False if no_progress else None,
    }
    output = Output(as_json, muted=distributed and not is_first_started())
    with output.bad_input_exits():
        request = Request(problem, backend, run, settings or (), out, overwrite, observe or (), noise)
        raise typer.Exit(solve_request(request, output))


@app.command()
def generate(
    family: Annotated[str, typer.Argument(help="A family of the catalogue, such as burgers-random.")],
    members: Annotated[int, typer.Option("-n", "--members", help="Members that the file shall hold.")],
    out: Annotated[Path, typer.Option(help="The HDF5 file; a killed run goes on from it.")],
    seed: Annotated[int, typer.Option(help="Of all random draws.")] = 0,
    points: Annotated[int | None, typer.Option(help="Points on each axis.")] = None,
    times: Annotated[int | None, typer.Option(help="Stored times.")] = None,
    rtol: Annotated[float | None, typer.Option(help="Relative error of each member.")] = None,
    dtype: Annotated[Dtype, typer.Option(help="Of the stored numbers.")] = Dtype.float32,
    workers: Annotated[
        int | None, typer.Option(help="Processes, for members that are solved singly.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the family.")
    ] = None,
    as_json: AsJson = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Show no progress bar.")] = False,
) -> None:
    """Solve random members of a family by a classical backend, and write them as a data set."""
    from .learning import GenerateRequest, generate_request

    run = {
        "seed": seed,
        "points": points,
        "times": times,
        "rtol": rtol,
        "dtype": dtype.value,
        "workers": workers,
        "progress": False if no_progress else None,
    }
    output = Output(as_json)
    with output.bad_input_exits():
        generate_request(GenerateRequest(family, members, out, run, settings or ()), output)


@app.command()
def train(
    family: Annotated[str, typer.Argument(help="The family that the data are drawn from.")],
    data: Annotated[Path, typer.Option(help="A file that `pdesolve generate` wrote.")],
    out: Annotated[Path, typer.Option(help="File for weights and card.")],
    backend: Annotated[str, typer.Option(help="fno, deeponet, unet, neuralop or diffusion.")] = "fno",
    test: Annotated[
        Path | None, typer.Option(help="Data of another seed, for the error in the card.")
    ] = None,
    validation: Annotated[float, typer.Option(help="Share of the members that choose the best state.")] = 0.1,
    budget: Annotated[float | None, typer.Option(help="Seconds.")] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights and batches.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1.")] = "cpu",
    distributed: Distributed = False,
    patience: Annotated[
        int | None, typer.Option(help="Steps without a lower validation error after which it ends.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Save the state here regularly, and continue from it if it is there.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A parameter of the family or an option of the backend."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace --out.")] = False,
    as_json: AsJson = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Show no progress bar.")] = False,
) -> None:
    """Train a network on a data set; `solve --backend fno --set weights=FILE` then uses it."""
    from .learning import TrainRequest, train_request

    run = {
        "validation": validation,
        "budget": budget,
        "steps": steps,
        "seed": seed,
        "device": device,
        "distributed": distributed,
        "checkpoint": checkpoint,
        "patience": patience,
        "progress": False if no_progress else None,
    }
    output = Output(as_json, muted=distributed and not is_first_started())
    with output.bad_input_exits():
        train_request(TrainRequest(family, backend, data, out, run, test, settings or (), overwrite), output)


@app.command()
def bench(
    suite: Annotated[str | None, typer.Option(help="A prepared matrix: quick, papers or full.")] = None,
    problems: Annotated[
        str | None, typer.Option(help="Of the catalogue, as 'burgers, convection(beta=50)'.")
    ] = None,
    backends: Annotated[
        str, typer.Option(help="With options, as 'pinn, gp(rtol=1e-6)'.")
    ] = "pinn, gp, spectral, fem",
    seeds: Annotated[int, typer.Option(min=1, help="Of stochastic backends: 0 to this less one.")] = 5,
    budget: Annotated[
        list[float] | None, typer.Option(help="Seconds of a job; may be given several times.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for results and report; a killed run goes on from it.")
    ] = Path("report"),
    executor: Annotated[str, typer.Option(help="processes: of this machine.")] = "processes",
    workers: Annotated[int, typer.Option(min=1, help="Jobs at a time; more than one disturb timings.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="A dask scheduler, tcp://..., whose workers run the jobs.")
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option(help="Seconds of wall time for each job; default 3 budgets + 180.")
    ] = None,
    memory_limit: Annotated[float | None, typer.Option(help="GB that each job may hold.")] = None,
    machine: Annotated[str | None, typer.Option(help="What the report calls this machine.")] = None,
    merge: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Run nothing: merge two folders of results into --out.")
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Run again what failed, timed out or ran out of memory.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the jobs that would run.")] = False,
    as_json: AsJson = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Show no progress bar.")] = False,
) -> None:
    """Run problems x backends x seeds x budgets, and write a report of error against time.

    Exit status: 0 every job has a result (failures are results), 1 some were lost, 2 bad input.
    """
    from .benching import BenchRequest, bench_request

    request = BenchRequest(
        suite=suite,
        problems=problems,
        backends=backends,
        seeds=seeds,
        budgets=tuple(budget or (60.0,)),
        out=out,
        executor=executor,
        workers=workers,
        scheduler=scheduler,
        seconds=time_limit,
        memory=None if memory_limit is None else int(memory_limit * 1e9),
        machine=machine,
        merge=merge,
        retry=retry,
        dry_run=dry_run,
        progress=False if no_progress else None,
    )
    output = Output(as_json)
    with output.bad_input_exits():
        raise typer.Exit(bench_request(request, output))
