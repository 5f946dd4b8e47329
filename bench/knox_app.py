"""django-rest-knox as its manual has it. Run as a command it makes tokens and prints them."""

from typing import Any

from bench import django_site
from bench.load import LOAD_KEYS

django_site.configure(
    "bench.knox_app",
    "knox",
    {
        "DEFAULT_AUTHENTICATION_CLASSES": ["knox.auth.TokenAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    },
)

# Django must be configured before these are imported.
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from knox.models import AuthToken  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class Me(APIView):
    def get(self, request: Any) -> Response:
        return Response(django_site.BODY)


urlpatterns = [path("v1/me", Me.as_view())]
application = get_wsgi_application()


def fill() -> None:
    """A user for each token: Knox looks through all tokens of a user at each request."""
    django_site.migrate()
    for number in range(LOAD_KEYS):
        user = get_user_model().objects.create_user(f"user{number}")
        _, token = AuthToken.objects.create(user)
        print(f"Token {token}")


if __name__ == "__main__":
    fill()
