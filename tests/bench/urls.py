"""The studio's routes and two empty views."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


@csrf_exempt
def empty(request: HttpRequest) -> HttpResponse:
    """Nothing but an answer."""
    return JsonResponse({})


class EmptyView(APIView):
    """Nothing but what DRF does: authentication, parsing, rendering."""

    def post(self, request: Request) -> Response:
        """Answer."""
        return Response({"received": bool(request.data)})


urlpatterns = [
    path("bench/empty", empty),
    path("bench/empty-drf", EmptyView.as_view()),
    path("", include("aichat.urls")),
]
