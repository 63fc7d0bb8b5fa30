"""Sentiment trees that tests make up, in the form of the treebank."""

import random
import zipfile
from dataclasses import dataclass
from pathlib import Path

NOUNS, GOOD, BAD = ("film", "plot", "cast", "end"), ("fine", "great"), ("dull", "poor")


@dataclass(frozen=True)
class Node:
    """A constituent: its grade, its words, and its children (none: a word)."""

    grade: int
    words: tuple[str, ...]
    children: tuple["Node", ...] = ()

    def __str__(self) -> str:
        inner = self.words[0] if not self.children else " ".join(map(str, self.children))
        return f"({self.grade} {inner})"


def joined(grade: int, *children: Node) -> Node:
    """Return a constituent of others."""
    return Node(grade, tuple(w for child in children for w in child.words), children)


def sentence(draw: random.Random) -> Node:
    """Return such as "the film is not fine", where a negation turns what stands behind it."""
    positive, negated = draw.random() < 0.5, draw.random() < 0.3
    word = Node(4 if positive else 0, (draw.choice(GOOD if positive else BAD),))
    said = joined(0 if positive else 4, Node(1, ("not",)), word) if negated else word
    grade = 4 if positive != negated else 0
    predicate = joined(grade, Node(2, ("is",)), said)
    subject = joined(2, Node(2, ("the",)), Node(2, (draw.choice(NOUNS),)))
    for _ in range(draw.randrange(3)):
        more = joined(2, Node(2, ("and",)), Node(2, (draw.choice(NOUNS),)))
        subject = joined(2, subject, more)
    end = Node(2, (draw.choice((".", "!", "?")),))
    return joined(grade, joined(grade, subject, predicate), end)


def treebank(folder: Path, sizes: tuple[int, int, int], seed: int = 0) -> dict[str, list[Node]]:
    """Write ``sst/`` with trees for train, dev and test into a folder; return them."""
    draw = random.Random(seed)
    parts = {
        part: [sentence(draw) for _ in range(n)]
        for part, n in zip(("train", "dev", "test"), sizes, strict=True)
    }
    write_trees(folder, {part: [str(tree) for tree in trees] for part, trees in parts.items()})
    return parts


def write_trees(folder: Path, parts: dict[str, list[str]]) -> None:
    """Write the archive of a treebank."""
    (folder / "sst").mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "sst" / "trainDevTestTrees_PTB.zip", "w") as archive:
        for part, lines in parts.items():
            archive.writestr(f"trees/{part}.txt", "\n".join(lines) + "\n")
