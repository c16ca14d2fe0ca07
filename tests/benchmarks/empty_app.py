"""The baseline of the first paint: a Textual app with a header, a footer and nothing else."""

from textual.app import App, ComposeResult
from textual.widgets import Footer, Header


class EmptyApp(App[None]):
    """An empty app."""

    TITLE = "EmptyBaseline"

    def compose(self) -> ComposeResult:
        yield Header()
        yield Footer()


def main() -> None:
    """Run it."""
    EmptyApp().run()


if __name__ == "__main__":
    main()
