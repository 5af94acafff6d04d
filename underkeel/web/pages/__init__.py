"""The pages: documents of `underkeel.web.data` turned into HTML, and plain forms back."""
