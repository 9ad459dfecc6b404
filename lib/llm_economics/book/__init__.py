"""What chapters share: claims with their verdicts, recorded results, figures. No argument and no number of its own."""
