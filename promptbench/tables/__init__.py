"""Tables in files: CSV, TSV and Excel workbooks, read and written by `csv` and `openpyxl`."""
