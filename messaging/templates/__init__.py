"""What a message says: templates as data, checked when they are saved, written in a sandbox.

`book` has them in memory and writes; `saving` checks and keeps. The rest are the
parts of these: the file's form, the language, the markup, the values.
"""

from messaging.templates.bodies import CHANNELS, Body, Context, Reader, TemplateError
from messaging.templates.book import BOOK, Book, render

__all__ = ["BOOK", "CHANNELS", "Body", "Book", "Context", "Reader", "TemplateError", "render"]
