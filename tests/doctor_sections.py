"""What is said in a section of the doctor's."""

from streamer.doctor.finding import Finding, Section


def one(section: Section, name: str) -> Finding:
    (found,) = (finding for finding in section.findings if finding.name == name)
    return found
