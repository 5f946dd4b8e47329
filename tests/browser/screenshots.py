"""`make screenshots`: every state of every page, at a desk's and a phone's width, in both themes.

They are for looking at: nothing compares them. Secrets are covered before a picture is taken.
"""

import sys
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS, chromium_path
from tests.browser.states import STATES, THEMES, a_place

COVER = """() => {
  for (const each of document.querySelectorAll('[data-secret]')) {
    const covered = (text) => text.replace(/(compass_[a-z]+_)[0-9A-Za-z]{46}/g, (_, start) =>
      start + '\u2022'.repeat(46)).replace(/(invitations|reset)[/].+/, '$1/\u2022\u2022\u2022');
    if ('value' in each) each.value = covered(each.value);
    else each.textContent = covered(each.textContent);
  }
}"""


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as home, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        with a_place(Path(home), chromium) as place:
            for state, theme in product(STATES, THEMES):
                page = state.open(place, theme)
                page.evaluate(COVER)
                for width in state.widths:
                    page.set_viewport_size({"width": width, "height": 900})
                    name = f"{state.name.replace(', ', '-').replace(' ', '-')}-{width}-{theme}.png"
                    # Playwright hides the caret by a style that the pages' policy refuses.
                    page.screenshot(path=folder / name, full_page=True, caret="initial")
        chromium.close()
    print(f"{len(list(folder.glob('*.png')))} pictures are in {folder.absolute()}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"))
