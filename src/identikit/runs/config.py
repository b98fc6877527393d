"""What the config of every study can say of itself."""


class StudyConfig:
    """Base of the frozen dataclass that decides every number of a run."""

    __slots__ = ()

    @property
    def label(self) -> str:
        """A few words for the folder's name, beside the config's hash."""
        return ""

    def with_digest(self) -> "StudyConfig":
        """The same config with the digests of the files that it names, if it names any.

        Raises:
            InputError: a file that cannot be read.
        """
        return self
