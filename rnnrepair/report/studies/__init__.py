"""Studies on paper: figures from tables, files, and sections of the page."""

from rnnrepair.report.studies.figures import study_figures
from rnnrepair.report.studies.files import WrittenStudy, read_studies, study_folder, write_study
from rnnrepair.report.studies.section import StudyView, study_view

__all__ = [
    "StudyView",
    "WrittenStudy",
    "read_studies",
    "study_figures",
    "study_folder",
    "study_view",
    "write_study",
]
