"""`dolmino recipe`: what a recipe does, before anything is read."""

from __future__ import annotations

import typer

from dolmino_cli.cli.arguments import Overrides, ProfileOption, RecipeArgument

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at recipes: which there are, and what one does.")


@app.callback()
def group() -> None:
    """Look at recipes."""


@app.command("list")
def list_recipes() -> None:
    """List the bundled recipes: name, profiles (the default first), source.

    \b
    Example:
      dolmino recipe list
    """
    from dolmino_cli.bundled import bundled_names, find
    from dolmino_cli.cli.console import show
    from dolmino_cli.recipe import load_recipe
    from dolmino_cli.report.recipe_text import list_line

    for name in bundled_names("filters"):
        show(list_line(load_recipe(find("filters", name))))


@app.command("show")
def show_recipe(recipe: RecipeArgument, profile: ProfileOption = None, set_: Overrides = None) -> None:
    """Print a RECIPE as it would run: source, licence, every measure with its parameters, every decision with its bounds.

    \b
    Examples:
      dolmino recipe show starcoder
      dolmino recipe show starcoder --profile ai2
    """
    from dolmino_cli.bundled import find
    from dolmino_cli.cli.console import show
    from dolmino_cli.recipe import load_recipe
    from dolmino_cli.report.recipe_text import recipe_lines

    show("\n".join(recipe_lines(load_recipe(find("filters", recipe), set_ or (), profile))))
