"""Looks at the status page in Chromium, light and dark, on a desktop and on a phone.

Usage: check_page.py URL TOKEN [PICTURES]   When all is well prints "looked", waits for a line on
standard input (the server is stopped meanwhile) and checks that the page says so. Exit code 1 and a
message on the first difference. PICTURES: a directory for screenshots.
"""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from browser import Browser

SUBSETS = 15


def text(browser, selector):
    return browser.evaluate(f"document.querySelector({selector!r}).innerText")


def check_content(browser):
    assert "mckd" in text(browser, "#what"), text(browser, "#what")
    rows = browser.evaluate("document.querySelectorAll('#heat tbody tr').length")
    assert rows == SUBSETS, f"{rows} subsets"
    assert browser.evaluate("document.querySelectorAll('#heat tbody td.h0').length") >= 1, "no worst cell"
    assert browser.evaluate("document.querySelectorAll('#heat tbody td.h10').length") >= 1, "no best cell"
    sizes = browser.evaluate("[...document.querySelectorAll('#heat tbody th')].map((head) => head.getAttribute('aria-label').split(' ').length)")
    assert sizes == sorted(sizes), f"subsets out of order: {sizes}"
    ranks = browser.evaluate("document.querySelectorAll('#ranks tbody tr').length")
    assert ranks == 2, f"{ranks} ranks"
    assert browser.evaluate("document.querySelectorAll('#events li').length") >= 1, "no events"
    charts = browser.evaluate("[...document.querySelectorAll('canvas')].map((canvas) => canvas.getAttribute('aria-label'))")
    for title in ("Loss", "Validation", "Importance weights", "Learning rate", "Speed"):
        assert any(label.startswith(title + ": ") and " to " in label for label in charts), f"{title}: {charts}"


def check_keyboard(browser):
    """A line is chosen with the keyboard alone."""
    browser.evaluate("document.querySelector('.legend button').focus()")
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key=" ", code="Space", text=" ", windowsVirtualKeyCode=32)
    assert browser.evaluate("document.querySelector('.legend button').getAttribute('aria-pressed')") == "false"
    browser.evaluate("document.querySelector('.legend button').click()")


def main():
    url, token = sys.argv[1:3]
    pictures = sys.argv[3] if len(sys.argv) > 3 else None
    with Browser() as browser:
        browser.view(1280, 900)
        browser.open(url.replace("://", f"://lacuna:{token}@"))
        browser.wait_for("document.querySelectorAll('canvas').length >= 5")
        check_content(browser)
        check_keyboard(browser)
        browser.check_names()
        browser.check_headings()
        for name, width, height, dark, phone in (("desktop-light", 1280, 900, False, False), ("desktop-dark", 1280, 900, True, False),
                                                 ("phone-light", 390, 844, False, True), ("phone-dark", 390, 844, True, True)):
            browser.view(width, height, dark, phone)
            theme = "dark" if dark else "light"
            browser.wait_for(f"document.documentElement.dataset.theme === '{theme}' && innerWidth === {width}")
            browser.check_look(name)
            if pictures:
                browser.picture(os.path.join(pictures, f"{name}.png"))
        print("looked", flush=True)
        sys.stdin.readline()
        if pictures:
            browser.view(1280, 900)
        browser.wait_for("document.querySelector('#alarms').innerText.includes('No answer since')")
        assert "mckd" in text(browser, "#what"), "what was known is gone"
        if pictures:
            browser.picture(os.path.join(pictures, "stopped.png"))
        asked = [each.replace(f"lacuna:{token}@", "") for each in browser.requests]
        foreign = [each for each in asked if not each.startswith((url, "data:"))]
        assert not foreign, f"requests elsewhere: {foreign}"
        # That the server is gone is the only thing a console may say.
        said = [each for each in browser.console if "ERR_CONNECTION_REFUSED" not in each]
        assert not said, f"console: {said}"


if __name__ == "__main__":
    try:
        main()
    except AssertionError as difference:
        sys.exit(f"check_page: {difference}")
