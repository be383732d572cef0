"""Looks at a report in Chromium, light and dark, on a desktop and on a phone.

Usage: check_report_page.py REPORT.html CHARTS SECONDS look|open [PICTURES]   Fails unless the page
draws CHARTS charts, asks for nothing but itself, has a quiet console, and can be used after SECONDS.
`open` does no more: to draw and look at a hundred charts takes a browser without a GPU minutes. Exit
code 1 and a message on the first difference. PICTURES: a directory for screenshots.
"""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from browser import Browser

OPENED = """(() => {
  const timing = performance.getEntriesByType('navigation')[0];
  return timing && timing.loadEventEnd > 0 && timing.loadEventEnd / 1000;
})()"""


def look_at(browser, pictures):
    browser.evaluate("for (const each of document.querySelectorAll('details:has(canvas)')) each.open = true")
    browser.evaluate("dispatchEvent(new Event('beforeprint'))")  # draws charts that are out of sight
    for name, width, height, dark, phone in (("desktop-light", 1280, 900, False, False), ("desktop-dark", 1280, 900, True, False),
                                             ("phone-light", 390, 844, False, True), ("phone-dark", 390, 844, True, True)):
        browser.view(width, height, dark, phone)
        browser.wait_for(f"document.documentElement.dataset.theme === '{'dark' if dark else 'light'}' && innerWidth === {width}")
        browser.check_look(name)
        if pictures:
            browser.picture(os.path.join(pictures, f"report-{name}.png"))


def main():
    path, charts, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    look, pictures = sys.argv[4] == "look", sys.argv[5] if len(sys.argv) > 5 else None
    url = pathlib.Path(path).resolve().as_uri()
    with Browser() as browser:
        browser.view(1280, 900)
        browser.open(url)
        browser.wait_for(OPENED)
        took = browser.evaluate(OPENED)
        print(f"opened in {took:.2f} s")
        assert took < seconds, f"opened after {took:.2f} s"
        count = browser.evaluate("document.querySelectorAll('canvas[data-chart]').length")
        assert count == charts, f"{count} charts"
        browser.check_names()
        if look:
            look_at(browser, pictures)
        foreign = [each for each in browser.requests if each != url and not each.startswith("data:")]
        assert not foreign, f"requests elsewhere: {foreign}"
        assert not browser.console, f"console: {browser.console}"


if __name__ == "__main__":
    try:
        main()
    except AssertionError as difference:
        sys.exit(f"check_report_page: {difference}")
