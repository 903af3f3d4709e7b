"""An evaluation as one HTML file to look at: data, drawings, template."""
