"""A study on disk and in the report."""

import pandas as pd
import pytest

from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.influence import RandomInfluence, TraceSimilarity
from rnnrepair.report import write_page
from rnnrepair.report.studies import read_studies, study_view, write_study
from rnnrepair.report.studies.faults import fault_figures
from rnnrepair.studies import Mislabel, StudyResult, plain
from tests.records import record_of
from tests.report_page import Sequences


def result(best=7):
    table = pd.DataFrame(
        {
            "dims": 3,
            "K": [1, 4, 7],
            "bic": [3.0, 2.0, 1.0],
            "stability": [0.2, 0.5, 0.8],
            "stability_weighted": [0.2, 0.5, 0.8],
            "stability_min": [0.2, 0.3, 0.4],
            "n_empty": 0,
            "rnn_test": 0.9,
            "faithful_test": [0.1, 0.5, 0.7],
            "fit_s": 1.0,
            "assign_s": 0.1,
        }
    )
    return StudyResult({"k_sweep": table}, [f"Best is <{best}>."], documents={"a.dot": "digraph"})


def test_files_hold_tables_figures_and_documents(tmp_path):
    written = write_study(tmp_path, "k_sweep", result(), {"network": "checkpoints/best.ckpt"})
    folder = tmp_path / "study" / "k_sweep"
    assert written.folder == folder
    names = {path.name for path in folder.iterdir()}
    assert names == {"k_sweep.csv", "k_sweep.png", "k_sweep.svg", "a.dot", "study.json"}
    assert written.table("k_sweep")["K"].tolist() == [1, 4, 7]
    assert written.picture("k_sweep").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in written.drawing("k_sweep").read_text()
    assert read_studies(tmp_path) == [written]


def test_page_gets_each_study_once_whatever_was_written_before(tmp_path):
    record_of().save(tmp_path)
    write_study(tmp_path, "other", result())
    write_study(tmp_path, "k_sweep", result(), {"network": "checkpoints/best.ckpt"})
    write_page(tmp_path, Sequences())
    write_study(tmp_path, "k_sweep", result(best=4), {"network": "checkpoints/best.ckpt"})
    write_page(tmp_path, Sequences())
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count('id="study-k_sweep"') == text.count('id="study-other"') == 1
    assert "Best is &lt;4&gt;." in text
    assert "Best is &lt;7&gt;." in text
    assert "network = checkpoints/best.ckpt" in text  # a setting
    assert text.index("What changed") < text.index("study-k_sweep") < text.index("</main>")
    assert "://" not in text
    # Figures belong to the study of their name, whatever its tables are called.
    assert text.count("<img src=") == 1


def test_results_of_other_networks_and_settings_are_kept_apart(tmp_path):
    record_of().save(tmp_path)
    last, best = "checkpoints/last.ckpt, after 9 epochs", "checkpoints/best.ckpt, after 7 epochs"
    of_last = {"checkpoint": "last", "n_components": (1, 4)}
    first = write_study(tmp_path, "k_sweep", result(best=1), of_last, last)
    of_best = write_study(tmp_path, "k_sweep", result(best=2), {"checkpoint": "best"}, best)
    other = write_study(
        tmp_path, "k_sweep", result(best=3), {**of_last, "n_components": (9,)}, last
    )
    assert [w.folder.name for w in (first, of_best, other)] == [
        "k_sweep",
        "k_sweep-best",
        "k_sweep-2",
    ]
    # The same again takes the place of the first, which stands alone otherwise.
    again = write_study(tmp_path, "k_sweep", result(best=4), of_last, last)
    assert again.folder == first.folder
    text = write_page(tmp_path, Sequences()).read_text(encoding="utf-8")
    for n in (2, 3, 4):
        assert text.count(f"Best is &lt;{n}&gt;.") == 1
    assert "Best is &lt;1&gt;." not in text
    for title in ("k sweep", "k sweep (best)", "k sweep (2)"):
        assert text.count(f"<h2>Study: {title}</h2>") == 1
    assert text.count(f"Of the network {last}.") == 2
    assert text.count(f"Of the network {best}.") == 1


def test_a_damaged_study_is_written_anew(tmp_path):
    folder = write_study(tmp_path, "k_sweep", result(best=1), {"checkpoint": "last"}).folder
    (folder / "study.json").write_text("{")
    assert write_study(tmp_path, "k_sweep", result(best=2), {"checkpoint": "last"}).folder == folder


def test_settings_are_told_alike_by_every_program_that_makes_the_study():
    made = [
        Mislabel({"near": TraceSimilarity(), "chance": RandomInfluence(seed=3)}) for _ in range(2)
    ]
    first, second = map(plain, made)
    assert first == second
    assert first["methods"]["chance"] == "RandomInfluence(by_label=False, seed=3)"
    other = Mislabel({"near": TraceSimilarity(), "chance": RandomInfluence(seed=4)})
    assert plain(other) != first


def test_without_a_record_studies_make_a_page_of_their_own(tmp_path):
    write_study(tmp_path, "k_sweep", result())
    write_page(tmp_path, Sequences())
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert text.count("<img src=") == 1
    assert "What changed" not in text


def test_tables_are_shown_as_they_were_made(tmp_path):
    made = {
        "a": pd.DataFrame(
            {"x": [0.123456, float("nan")], "arm": ["None", "NA"], "ok": [True, False]}
        ),
        "empty": pd.DataFrame(),
    }
    view = study_view(write_study(tmp_path, "own", StudyResult(made, [])))
    assert view.tables["a"].rows == [["0.1235", "None", "True"], ["nan", "NA", "False"]]
    assert view.tables["empty"].rows == []
    long = {"a": pd.DataFrame({"x": range(205)})}
    view = study_view(write_study(tmp_path, "own", StudyResult(long, [])))
    assert (len(view.tables["a"].rows), view.tables["a"].more) == (200, 5)


def test_studies_of_another_version_are_refused(tmp_path):
    folder = write_study(tmp_path, "k_sweep", result()).folder
    (folder / "study.json").unlink()
    with pytest.raises(IncompatibleCheckpointError, match="k_sweep is no study of this version"):
        read_studies(tmp_path)


def test_a_figure_needs_every_column_of_its_table(tmp_path):
    broken = result()
    with pytest.raises(KeyError):
        write_study(
            tmp_path,
            "k_sweep",
            StudyResult({"k_sweep": broken.tables["k_sweep"].drop(columns="K")}, []),
        )
    assert not (tmp_path / "study").exists() or not any((tmp_path / "study").iterdir())


def test_names_of_lines_stay_inside_the_figure():
    sizes, lines = [7, 16, 25, 43, 61], ["benign_truth", "fault_pred", "fault_truth"]
    metrics = [f"metric_{i}{end}" for i in (1, 2, 3) for end in ("", "_low", "_high")]
    curves = pd.DataFrame(
        [
            {"K": k, "line": line, "n": n, **dict.fromkeys(metrics, 0.5)}
            for k in sizes
            for line in lines
            for n in (1, 2)
        ]
    )
    hypothesis = pd.DataFrame(
        [
            {"yardstick": "trace", "K": k, "n": n, "holds": 0.7, "low": 0.6, "high": 0.8}
            for k in sizes
            for n in (1, 10, 50, 100)
        ]
    )
    figures = fault_figures({"faults": curves, "hypothesis": hypothesis})
    for name, figure in figures.items():
        assert len(figure.axes) == (1 if name == "hypothesis" else len(sizes))
        figure.draw_without_rendering()
        (legend,) = figure.legends
        box = legend.get_window_extent()
        assert box.x0 >= 0, name
        assert box.x1 <= figure.bbox.x1, name
