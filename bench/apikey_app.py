"""djangorestframework-api-key as its manual has it. As a command it makes keys and prints them."""

from typing import Any

from bench import django_site
from bench.load import LOAD_KEYS

django_site.configure(
    "bench.apikey_app",
    "rest_framework_api_key",
    {"DEFAULT_PERMISSION_CLASSES": ["rest_framework_api_key.permissions.HasAPIKey"]},
)

# Django must be configured before these are imported.
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework_api_key.models import APIKey  # noqa: E402


class Me(APIView):
    def get(self, request: Any) -> Response:
        return Response(django_site.BODY)


urlpatterns = [path("v1/me", Me.as_view())]
application = get_wsgi_application()


def fill() -> None:
    django_site.migrate()
    for number in range(LOAD_KEYS):
        _, key = APIKey.objects.create_key(name=f"Key {number}")
        print(f"Api-Key {key}")


if __name__ == "__main__":
    fill()
