"""Studies on paper: figures from tables, files, and a section of the report."""

from rnnrepair.report.studies.figures import study_figures
from rnnrepair.report.studies.write import WrittenStudy, write_study

__all__ = ["WrittenStudy", "study_figures", "write_study"]
