"""What f, its conjugate and the best critic are called, row by row, as the stage writes them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Critic:
    """f(u), its conjugate f*(t), and the best critic T* = f'(p/q), in the markup of the stage; u = p/q."""

    f: str
    conjugate: str
    critic: str

    def line(self, name: str) -> str:
        """All of it in one line, with the live value."""
        if not self.conjugate:
            return f"{name} = {self.f} = {{value}}"
        return (
            f"{name} = {{value}};  *f*(*u*) = {self.f},  *f*^{{*}}(*t*) = {self.conjugate},  "
            f"[*T*^{{*}}|disc] = *f*'([*p*|real]/[*q*|fake])"
        )


CRITICS = {
    "kl": Critic("*u* log *u*", "e^{*t* − 1}", "1 + log(*p*/*q*)"),
    "reverse_kl": Critic("−log *u*", "−1 − log(−*t*)", "−*q*/*p*"),
    "jeffreys": Critic(
        "(*u* − 1) log *u*", "*w* + 1/*w* + *t* − 2,  *w* + log *w* = 1 − *t*", "1 + log(*p*/*q*) − *q*/*p*"
    ),
    "js": Critic(
        "½[*u* log *u* − (*u* + 1) log ½(*u* + 1)]", "−½ log(2 − e^{2 *t*})", "½ log(2 *p*/(*p* + *q*))"
    ),
    "tv": Critic("½|*u* − 1|", "*t* for |*t*| ≤ ½", "½ sign(*p* − *q*)"),
    "hellinger2": Critic("½(√*u* − 1)^{2}", "*t*/(1 − 2 *t*)", "½(1 − √(*q*/*p*))"),
    "chi2": Critic("(*u* − 1)^{2}", "*t*^{2}/4 + *t*", "2(*p*/*q* − 1)"),
    "chi2_neyman": Critic("(1 − *u*)^{2}/*u*", "2 − 2√(1 − *t*)", "1 − (*q*/*p*)^{2}"),
    "w1": Critic(
        "max over all [*T*|disc] of slope at most 1 of  E_{[*p*|real]}[*T*|disc] − E_{[*q*|fake]}[*T*|disc]", "", "",
    ),
    "w2_squared": Critic("least mean squared distance that mass must travel from [*q*|fake] to [*p*|real]", "", ""),
}  # fmt: skip
