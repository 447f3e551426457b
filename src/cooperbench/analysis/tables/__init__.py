"""The tables of a report: each is one small module that turns slices of runs into a `ReportTable`."""
