"""What EKS Auto Mode's load balancing does for Ingresses: Application Load Balancers, made and served.

https://docs.aws.amazon.com/eks/latest/userguide/auto-configure-alb.html
"""
