"""The only package that speaks to Microsoft Graph."""
