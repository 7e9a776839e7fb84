"""`freshframe init`: finds cameras, tries them, asks a little, and writes a configuration."""

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from streamer.assets import cached, find
from streamer.cli.boxes import try_boxes
from streamer.cli.questions import Terminal, Unattended
from streamer.errors import ConfigError
from streamer.onvif import Login, chosen
from streamer.setup import candidates, wishes
from streamer.setup.asking import Asking
from streamer.setup.candidates import Candidate
from streamer.setup.credentials import Variables
from streamer.setup.gathering import gather
from streamer.setup.missed import missed
from streamer.setup.offers import Taken
from streamer.setup.page import page, steps
from streamer.setup.talk import Talk
from streamer.setup.writing import refuse_to_overwrite, write

SYNTHETIC = "synthetic:?size=640x360&fps=10"
EXAMPLES = """\
examples:
  freshframe init                       finds cameras, asks, writes cameras.yaml
  freshframe init --yes --user admin --password-env CAMERAS_PASSWORD
  freshframe init --yes --onvif 192.0.2.10 --results jsonl,zmq
  freshframe init --yes --source rtsp://192.0.2.10/stream2 --output gate.yaml
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `init` to the command line."""
    parser = subparsers.add_parser(
        "init",
        help="find cameras and write a configuration for them",
        description="Looks for USB cameras and, by a question to the local networks, for ONVIF cameras; "
        "tries each, and writes a configuration. With --source or --onvif it looks for none. The status is 1 "
        "where none of the cameras that were written down gave a picture.",
        epilog=EXAMPLES,
    )
    add = parser.add_argument
    add(
        "--output",
        type=Path,
        default=Path("cameras.yaml"),
        metavar="FILE",
        help="what is written; default %(default)s",
    )
    add("--force", action="store_true", help="write over a file that is there")
    add("--yes", action="store_true", help="ask nothing: every camera that is found, and the defaults")
    add(
        "--source",
        action="append",
        default=[],
        metavar="SOURCE",
        help="this camera, as `detect` takes it; may be given again",
    )
    add(
        "--onvif",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="this ONVIF camera, also in another network; may be given again",
    )
    add(
        "--interface",
        action="append",
        metavar="NAME|IP",
        help="look for cameras on this network only; may be given again",
    )
    add("--user", help="user name of the cameras")
    add(
        "--password-env",
        metavar="VAR",
        help="… and the environment variable that holds the password; it needs no percent-encoding",
    )
    add("--classes", metavar="a,b|all", help="what is recognised; default: people, vehicles, cats and dogs")
    add(
        "--results",
        metavar="a,b",
        help=f"where results go: {', '.join(wishes.SINKS)}; default: window where there is a screen, "
        "jsonl elsewhere",
    )
    parser.set_defaults(run=_run, interrupted="nothing was written")


def _run(args: argparse.Namespace) -> int:
    refuse_to_overwrite(args.output, force=args.force)
    classes = None if args.classes is None else wishes.classes(args.classes)
    sinks = None if args.results is None else wishes.sinks(args.results)
    logging.getLogger("freshframe").addHandler(logging.NullHandler())  # what goes wrong is told here
    talk = _talk(args)
    variables = Variables(args.password_env)
    asking = Asking(talk, _login(args, talk, variables))
    named = [candidates.named(text) for text in args.source] + [candidates.at(text) for text in args.onvif]
    if talk.attended:
        talk.tell("Enter takes what stands in [brackets]; Ctrl-C ends it, and nothing is written.")
    if named:
        taken = gather(talk, asking, named, wanted=True)
    else:
        networks = None if args.interface is None else chosen(args.interface)
        found = candidates.find(talk, networks)
        taken = gather(talk, asking, _picked(talk, found), wanted=not found)
    if args.classes is None:
        usual = wishes.as_text(wishes.USUAL)
        classes = talk.ask("What shall be recognised? Names with commas, or all", usual, wishes.classes)
    if sinks is None:
        for name, what in wishes.SINKS.items() if talk.attended else ():
            talk.tell(f"  {name:7} {what}")
        sinks = talk.ask("Where shall results go? One or more", wishes.usual_sink(), wishes.sinks)
    text = page(taken, classes, sinks, variables, str(args.output))
    write(args.output, text, try_boxes, force=args.force)
    talk.tell(f"written: {args.output}; next:\n")
    # Without the caution that hides whatever stands behind `PASSWORD=`: in these is nothing secret.
    sys.stderr.writelines(f"  {step}\n" for step in steps(variables, str(args.output)))
    return _say_missed(talk, taken)


def _say_missed(talk: Talk, taken: Sequence[Taken]) -> int:
    """The last word, and the status: 1 where nothing of what was written works."""
    lines = missed(taken)
    if lines:
        talk.tell(
            "\n" + "\n".join([*lines, "then run `freshframe init` again with --force, or edit the file"])
        )
    return 0 if any(one.report.ok for one in taken) else 1


def _talk(args: argparse.Namespace) -> Talk:
    if args.yes:
        return Unattended()
    if not sys.stdin.isatty():
        raise ConfigError("there is no terminal to ask on; --yes asks nothing and takes the defaults")
    return Terminal()


def _login(args: argparse.Namespace, talk: Talk, variables: Variables) -> Login | None:
    login = variables.given(args.user)
    if login is None or login.password:
        return login
    if not talk.attended:
        raise ConfigError("--user and --password-env go together: give both or neither")
    return replace(login, password=talk.secret(f"Password of {login.user} (it is not shown):"))


def _picked(talk: Talk, found: Sequence[Candidate]) -> list[Candidate]:
    """The ones that the user wants. Raises ConfigError where nobody is there and nothing was found."""
    if not found:
        if not talk.attended:
            raise ConfigError(
                "no camera was found; name one: --source rtsp://…, or --onvif HOST for one in another "
                f"network; to try without a camera: --source '{SYNTHETIC}'"
            )
        talk.tell(
            "Name one by its address (rtsp://…, http://…) or its host; Enter takes something to try with."
        )
        return talk.ask("Camera", _trial(), lambda text: _read(text, ()))
    for number, one in enumerate(found, 1):
        talk.tell(f"  {number:2}  {one.title}")
    question = "Which ones? Numbers, or addresses of others, with spaces between"
    return talk.ask(question, "all", lambda text: _read(text, found))


def _read(text: str, found: Sequence[Candidate]) -> list[Candidate]:
    if text == "all" and found:
        return list(found)
    picked: list[Candidate] = []
    for word in text.split() if "://" in text or not found else text.replace(",", " ").split():
        if found and word.isdecimal():
            if not 1 <= int(word) <= len(found):
                raise ConfigError(f"{word}: allowed are 1 to {len(found)}, or an address")
            picked.append(found[int(word) - 1])
        else:
            picked.append(candidates.named(word.strip(",")))
    return list(dict.fromkeys(picked))


def _trial() -> str:
    """Something to look at where there is no camera: a clip of a street where it was fetched before."""
    clip = cached(find("bikes"))
    return SYNTHETIC if clip is None or " " in str(clip) else str(clip)
