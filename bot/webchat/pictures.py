"""What may be shown as a picture: PNG, JPEG or WebP, not too large, told by its content."""

from io import BytesIO

from PIL import Image, UnidentifiedImageError

PICTURE_BYTES_MAX = 5_000_000
PICTURE_SIDE_MAX = 4096
_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}


class PictureError(ValueError):
    """The content is no picture that the chat can show."""


def picture_size(content: bytes) -> tuple[int, int, str]:
    """Width, height and media type, from the header alone; raises PictureError."""
    if len(content) > PICTURE_BYTES_MAX:
        raise PictureError("the picture is larger than 5 MB")
    try:
        with Image.open(BytesIO(content), formats=list(_MEDIA_TYPES)) as image:
            width, height, media_type = *image.size, _MEDIA_TYPES[str(image.format)]
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise PictureError("not a PNG, JPEG or WebP picture") from error
    if max(width, height) > PICTURE_SIDE_MAX:
        raise PictureError(f"the picture is wider or higher than {PICTURE_SIDE_MAX} pixels")
    return width, height, media_type
