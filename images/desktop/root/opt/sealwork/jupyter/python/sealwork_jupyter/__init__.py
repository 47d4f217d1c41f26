"""What Sealwork adds to Jupyter Lab in a sandbox."""
