"""The services of the embedded Azure, one folder each: urls, responses, models, exceptions."""
