"""A form of Django with the field of `django-turnstile`, unchanged but for its address: is what was posted valid?

    django_form.py VERIFY_URL SECRET TOKEN      prints `valid`, or the codes of what is wrong with the field
"""

import sys

import django
from django.conf import settings

verify_url, secret, token = sys.argv[1:]
settings.configure(
    INSTALLED_APPS=["turnstile"],
    TURNSTILE_VERIFY_URL=verify_url,
    TURNSTILE_SITEKEY="contact",
    TURNSTILE_SECRET=secret,
)
django.setup()

from django import forms  # noqa: E402  after the settings, like all of Django
from turnstile.fields import TurnstileField  # noqa: E402


class Contact(forms.Form):
    message = forms.CharField()
    turnstile = TurnstileField()


form = Contact({"message": "Hello", "cf-turnstile-response": token})
if form.is_valid():
    print("valid")
else:
    print(",".join(error["code"] for error in form.errors.get_json_data().get("turnstile", [])))
