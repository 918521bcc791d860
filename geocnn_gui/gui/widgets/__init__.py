"""Small reusable widgets that know no session."""
