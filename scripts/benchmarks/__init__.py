"""The measures; a package, so that none of the same name (opacus installs one) hides it."""
