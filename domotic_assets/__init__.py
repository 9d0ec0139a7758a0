"""Home-automation lakehouse: files of the homes in, a star schema that tells the truth out."""
