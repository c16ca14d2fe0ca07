"""The screens of the dashboard; each is imported when it is first shown."""
