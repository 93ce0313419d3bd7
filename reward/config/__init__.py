"""Every command's settings: one frozen dataclass each, checked when it is built; the command line is made from them.

The text under ``Attributes:`` is the help of the flag, so nothing is said twice. No torch in here: ``reward --help``
must be fast. One module per family of commands; what they share is in `reward.config.common`.
"""
