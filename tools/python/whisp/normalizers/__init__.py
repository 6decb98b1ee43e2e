"""openai-whisper's whisper.normalizers: texts as they are compared when errors are counted. They are those of the
package whisper-normalizer, which says the same as openai-whisper's (docs/python.md): pip install
"libwhisp[normalizers]"."""

from .basic import BasicTextNormalizer
from .english import EnglishTextNormalizer

__all__ = ["BasicTextNormalizer", "EnglishTextNormalizer"]
