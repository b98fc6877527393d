"""The four cases of theorem 1: what is held at unit norm, and what is identified up to what.

Source: arXiv:2410.21869, theorem 1 and appendix A.
"""

from enum import StrEnum


class Case(StrEnum):
    """By what has unit norm: features h(z), rows w_i, both (times a learned beta) or neither."""

    C1 = "C1"
    """Both: h orthogonal, the rows h(v), and beta = kappa."""
    C2 = "C2"
    """Features: h orthogonal, rows (kappa / beta) h(v) + psi, psi one constant vector."""
    C3 = "C3"
    """Rows, if the data are diverse: h = (kappa / beta) O z, rows O v, O orthogonal."""
    C4 = "C4"
    """Neither: h linear, rows an affine image of v."""

    @classmethod
    def of(cls, *, unit_features: bool, unit_rows: bool) -> "Case":
        """The case of a head."""
        if unit_features:
            return cls.C1 if unit_rows else cls.C2
        return cls.C3 if unit_rows else cls.C4

    @property
    def unit_features(self) -> bool:
        """Whether features have unit norm."""
        return self in (Case.C1, Case.C2)

    @property
    def words(self) -> str:
        """What has unit norm, in words."""
        return {
            Case.C1: "unit-norm features and rows",
            Case.C2: "unit-norm features, free rows",
            Case.C3: "unit-norm rows, free features",
            Case.C4: "free features and rows",
        }[self]

    @property
    def unit_rows(self) -> bool:
        """Whether rows have unit norm."""
        return self in (Case.C1, Case.C3)
