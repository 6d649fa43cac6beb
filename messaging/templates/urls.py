"""What an address of the web looks like in a template."""

import re

URL = re.compile(r"https?://[^\s<>\"'`\\^{|}]+")
