"""What people and machines read afterwards: report (HTML, Markdown, JSON), gate page, case page, charts. Pure over a `Dossier`."""
