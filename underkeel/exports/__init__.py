"""What was seen and done, as files for spreadsheets, accountants and programs: docs/export.md."""
